"""Which ways to serve a model are tried, in which order, and what follows a failure."""

from gateway.routing.candidate import Candidate
from gateway.routing.order import Router
from gateway.routing.plan import Plan, Wanted, plan
from gateway.routing.retries import Move, Situation, next_move

__all__ = ["Candidate", "Move", "Plan", "Router", "Situation", "Wanted", "next_move", "plan"]
