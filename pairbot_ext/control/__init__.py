"""What an operator asks of a running bot, over Telegram and over the API.

`service` gathers and acts, `views` says what an answer holds, `text` and `picture` make it readable;
`telegram` and `api` only carry it. `pairbot status` uses the same views and texts.
"""
