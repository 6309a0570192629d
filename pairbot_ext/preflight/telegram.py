"""Check of the operator's channel: bot token and chat, asked of the Bot API."""

from __future__ import annotations

from typing import Any

import requests

from pairbot_ext.preflight.results import Finding, Status
from pairbot_ext.preflight.setup import Setup

TIMEOUT_SECS = 5.0


class _RefusedError(Exception):
    """The Bot API answered no. The text is its description."""


def telegram(setup: Setup) -> Finding:
    """The operator can be told: the token is good and the chat can be written to."""
    config = setup.config.get("telegram") or {}
    if not config.get("enabled"):
        return Finding(
            Status.WARN,
            "Telegram is off: nobody is told when a pair needs an operator",
            "Fill the telegram block of config.json, with allow_custom_messages true",
        )
    base = f"{setup.telegram_url.rstrip('/')}/bot{config.get('token', '')}"
    try:
        bot = _ask(f"{base}/getMe", {})
        chat = _ask(f"{base}/getChat", {"chat_id": str(config.get("chat_id", ""))})
    except _RefusedError as refused:
        return Finding(
            Status.FAIL,
            f"the Bot API refuses: {refused}",
            "Correct telegram.token (from @BotFather) and telegram.chat_id; write to the bot once",
        )
    except (requests.RequestException, ValueError) as error:
        return Finding(
            setup.grave,
            f"{setup.telegram_url} does not answer: {type(error).__name__}: {error}",
            "Is there a connection, and does the address serve your country?",
        )
    name = bot.get("username", "?")
    if not config.get("allow_custom_messages"):
        return Finding(
            setup.grave,
            f"@{name} works, but allow_custom_messages is false: no message about pairs gets through",
            'Set "allow_custom_messages": true in the telegram block',
        )
    return Finding(Status.PASS, f"@{name} can write to the {chat.get('type', 'configured')} chat")


def _ask(url: str, params: dict[str, str]) -> dict[str, Any]:
    """One Bot API method. Raises _RefusedError, requests.RequestException, ValueError."""
    response = requests.get(url, params=params, timeout=TIMEOUT_SECS)
    answer = response.json()
    if not isinstance(answer, dict):
        raise ValueError("the answer is no Bot API answer")
    if not answer.get("ok"):
        raise _RefusedError(
            f"{answer.get('error_code', response.status_code)} {answer.get('description', '')}"
        )
    result = answer.get("result")
    return result if isinstance(result, dict) else {}
