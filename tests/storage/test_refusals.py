"""What is said of an index that lets nobody in."""

from __future__ import annotations

import psycopg
import pytest

from storage.index.engine import translated
from vna.model.errors import Unavailable


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ('FATAL:  password authentication failed for user "vna"', "refuses the user or the password"),
        ("fe_sendauth: no password supplied", "wants a password, and none was given"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "vna"', "does not let this user in from here"),
        ('FATAL:  database "vna" does not exist', "has no database of this name"),
        ('FATAL:  role "vna" does not exist', "has no user of this name"),
        ("FATAL:  sorry, too many clients already", "has no free connection"),
        ("connection refused", "the index does not answer$"),
    ],
)
def test_whoever_is_not_let_in_is_told_why_and_no_name_of_a_user(answer: str, words: str) -> None:
    with pytest.raises(Unavailable, match=words) as raised, translated():
        raise psycopg.OperationalError(f'connection to server at "127.0.0.1", port 5432 failed: {answer}')
    assert "vna" not in str(raised.value)
