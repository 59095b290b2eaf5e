"""Money as of a moment: what was paid, bought and corrected later is not read.

Payments, subscriptions and balances are read from the file itself, where nothing of them is ever changed. Corrections
are copied, because telling of money may add some to the copy.
"""

from __future__ import annotations

from backend.cloud.billing import BALANCE_GIVEN

NOT_COPIED = ("purse", "payment", "subscription", "subscription_term", "correction")

COPIED = "CREATE TABLE main.correction_told AS SELECT * FROM live.correction"

_AT = "(SELECT microseconds FROM temp.moment)"
_GIVEN = f"""
    SELECT 1 FROM live.payment AS given
    WHERE given.account = purse.account AND given.reason LIKE '{BALANCE_GIVEN}%'"""  # noqa: S608

VIEWS = (
    f"CREATE TEMP VIEW payment AS SELECT * FROM live.payment WHERE at <= {_AT}",  # noqa: S608
    # Since when an account is held to its balance is what the first one that it was given says. Of one without any
    # nobody knows: it counts as always.
    f"""
    CREATE TEMP VIEW purse AS SELECT * FROM live.purse AS purse
    WHERE NOT EXISTS ({_GIVEN}) OR EXISTS ({_GIVEN} AND given.at <= {_AT})
    """,  # noqa: S608
    f"CREATE TEMP VIEW subscription_term AS SELECT * FROM live.subscription_term WHERE bought_at <= {_AT}",  # noqa: S608
    """
    CREATE TEMP VIEW subscription AS SELECT * FROM live.subscription
    WHERE number IN (SELECT subscription FROM temp.subscription_term)
    """,
    f"CREATE TEMP VIEW correction AS SELECT * FROM main.correction_told WHERE at <= {_AT}",  # noqa: S608
    """
    CREATE TEMP TRIGGER correction_told_then INSTEAD OF INSERT ON correction BEGIN
        INSERT INTO correction_told (number, account, at, resource, begins_at, ends_at, used, amount, place)
        VALUES ((SELECT coalesce(max(number), 0) + 1 FROM correction_told), NEW.account, NEW.at, NEW.resource,
                NEW.begins_at, NEW.ends_at, NEW.used, NEW.amount, NEW.place);
    END
    """,
)
