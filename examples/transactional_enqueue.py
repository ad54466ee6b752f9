"""A shop that sends a mail for each order: the job exists if and only if the order was committed.

Needs Flask and SQLAlchemy. Run it as it is to see both cases, on SQLite::

    python examples/transactional_enqueue.py

Serve it, and work its jobs in another terminal, on the database of your choice::

    export WORK_URL=postgresql://localhost/shop SHOP_DATABASE=postgresql+psycopg://localhost/shop
    flask --app examples/transactional_enqueue run
    work worker examples.transactional_enqueue:jobs
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import sqlalchemy as sa
from flask import Flask, request
from sqlalchemy import orm

from work_core import App, Worker, current_context, current_job

_FILE = Path(tempfile.gettempdir()) / "work-shop.db"
engine = sa.create_engine(os.environ.get("SHOP_DATABASE", f"sqlite:///{_FILE}"))
jobs = App(os.environ.get("WORK_URL", f"sqlite:///{_FILE}"), namespace="shop")
web = Flask(__name__)


class Base(orm.DeclarativeBase):
    """The shop's tables."""


class Order(Base):
    """What a customer ordered."""

    __tablename__ = "shop_order"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    address: orm.Mapped[str]
    mails: orm.Mapped[int] = orm.mapped_column(default=0)


class LeaseLostError(Exception):
    """Somebody else has this job by now; what we did must not count."""


@web.post("/orders")
def place_order() -> tuple[dict[str, int], int]:
    """Store the order and its job in one transaction."""
    with orm.Session(engine) as session, session.begin():
        order = Order(address=request.form["address"])
        session.add(order)
        session.flush()
        confirm.options(connection=session).enqueue(order.id)
        if "@" not in order.address:
            raise ValueError(f"{order.address!r} is no address")  # rolls back both
        return {"order": order.id}, 201


@jobs.task
def confirm(order_id: int) -> None:
    """Count the mail and ack the job in one transaction: the effect happens exactly once."""
    context = current_context()
    with orm.Session(engine) as session, session.begin():
        session.get_one(Order, order_id).mails += 1
        if context.backend.ack(context.queue, [current_job()], connection=session):  # type: ignore[call-arg]
            raise LeaseLostError


@web.errorhandler(ValueError)
def refuse(error: ValueError) -> tuple[dict[str, str], int]:
    """Answer a wrong order."""
    return {"error": str(error)}, 400


def main() -> None:
    """Place a good order and a bad one, and run the jobs there are."""
    with web.test_client() as client:
        for address in ("ann@example.org", "nowhere"):
            answer = client.post("/orders", data={"address": address})
            print(f"order to {address}: {answer.status_code} {answer.get_json()}")
    ran = Worker(jobs).drain()
    with orm.Session(engine) as session:
        orders = session.scalars(sa.select(Order)).all()
        print(f"{ran} job ran; orders: {[(order.address, order.mails) for order in orders]}")


Base.metadata.create_all(engine)

if __name__ == "__main__":
    main()
