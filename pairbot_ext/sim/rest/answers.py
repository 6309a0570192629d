"""What a fault rule makes of an answer."""

from __future__ import annotations

from dataclasses import replace

from pairbot_ext.sim.rest.messages import HTML_TYPE, Answer, Delivery, json_bytes
from pairbot_ext.sim.venue.errors import Code, http_status, message
from pairbot_ext.sim.venue.faults import AnswerForm, FaultRule

UNKNOWN_TEXT = "Unknown error, please check your request or try again later."
UNAVAILABLE_TEXT = "Service Unavailable."
_TITLES = {
    403: "403 Forbidden",
    502: "502 Bad Gateway",
    503: "503 Service Unavailable",
    504: "504 Gateway Time-out",
}
_HTML_FORMS = {
    AnswerForm.HTML_403: 403,
    AnswerForm.HTML_502: 502,
    AnswerForm.HTML_503: 503,
    AnswerForm.HTML_504: 504,
}
_CODE_FORMS = {
    AnswerForm.UNEXPECTED_1006: Code.UNEXPECTED_RESP,
    AnswerForm.TIMEOUT_1007: Code.TIMEOUT,
    AnswerForm.OVERLOADED_1008: Code.OVERLOADED,
}
_JSON_503_FORMS: dict[AnswerForm, dict[str, object]] = {
    AnswerForm.UNKNOWN_503_MSG: {"msg": UNKNOWN_TEXT},
    AnswerForm.UNKNOWN_503_CODE_0: {"code": 0, "msg": UNKNOWN_TEXT},
    AnswerForm.UNKNOWN_503_CODE_1000: {"code": -1000, "msg": UNKNOWN_TEXT},
    AnswerForm.UNAVAILABLE_503: {"msg": UNAVAILABLE_TEXT},
}


def _html(status: int) -> bytes:
    title = _TITLES[status]
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>cloudfront</center>\r\n</body>\r\n</html>\r\n"
    ).encode()


def _coded(answer: Answer, code: int, status: int | None, text: str | None) -> Answer:
    body = json_bytes({"code": int(code), "msg": message(code) if text is None else text})
    return replace(answer, status=status or http_status(code), body=body)


def bend(answer: Answer, rule: FaultRule) -> Answer:
    """The answer the client gets to see instead of `answer`."""
    bent = replace(answer, delay_ms=answer.delay_ms + rule.delay_ms)
    form = rule.answer
    if form is AnswerForm.READ_TIMEOUT:
        return replace(bent, delivery=Delivery.HANG)
    if form is AnswerForm.RESET:
        return replace(bent, delivery=Delivery.RESET)
    if form is AnswerForm.EMPTY_200:
        return replace(bent, status=200, body=b"")
    if form is AnswerForm.TRUNCATED_200:
        return replace(bent, status=200, body=bent.body[: len(bent.body) // 2])
    if form is AnswerForm.REJECT:
        assert rule.code is not None  # the rule's own validation
        return _coded(bent, rule.code, rule.status, rule.msg)
    if form is AnswerForm.CUSTOM:
        return replace(bent, status=rule.status or 200, body=(rule.body or "").encode())
    if form in _HTML_FORMS:
        status = _HTML_FORMS[form]
        return replace(bent, status=status, body=_html(status), content_type=HTML_TYPE)
    if form in _CODE_FORMS:
        return _coded(bent, _CODE_FORMS[form], rule.status, rule.msg)
    if form in _JSON_503_FORMS:
        return replace(bent, status=503, body=json_bytes(_JSON_503_FORMS[form]))
    return bent
