"""Limits, stops and the kill switch. Rules are pure (`rules`, `breaks`); `desk` applies them to one bot.

They close pairs, never one leg, and nothing in here ever stops an exit (I5).
"""
