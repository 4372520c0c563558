"""The works of the orrery: simulated time, dice, causes, the agenda, informers and the API client.

Nothing in here knows what a Pod is. Read clock.py, agenda.py and controller.py, in this order.
"""
