"""The schedule as a table."""

import threading

from beat.ringer import Ringer
from beat.schedule import LONGEST_SECONDS, build_schedule
from gateway.queue import Task, configure
from gateway.settings import DrainSettings, Settings


def test_bells_ring_as_often_as_the_settings_say() -> None:
    settings = Settings(drain=DrainSettings(tick_seconds=0.25))
    [drain] = [bell for bell in build_schedule(settings) if bell.task is Task.LEDGER_DRAIN]
    assert drain.every_seconds == 0.25


def test_rare_work_is_offered_often_enough_to_survive_restarts() -> None:
    assert max(bell.every_seconds for bell in build_schedule(Settings())) == LONGEST_SECONDS


def test_bells_have_names_of_their_own() -> None:
    names = [bell.name for bell in build_schedule(Settings())]
    assert len(set(names)) == len(names)


def test_a_stopped_ringer_rings_nothing() -> None:
    stop = threading.Event()
    stop.set()
    settings = Settings(broker_url="amqp://you-forgot-to-stop-the-ringer")
    Ringer(configure(settings), build_schedule(settings)).run(stop)
