"""C-STORE out: a data set of any size from pieces straight to the socket (PS3.7 9.1.1, PS3.8 annexes D and E)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from pynetdicom.dimse_primitives import C_STORE

from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.command import encode_store_request
from dimse.upper_layer.handlers import StoreAnswer, StoreCommand
from dimse.upper_layer.stream import P_DATA_TF, PDU_HEADER, PDV_HEADER
from vna.model.errors import Unavailable

Buffer = bytes | bytearray | memoryview

LONGEST_PDU: Final = 1 << 18
"""What we send at most in one PDU to a peer that takes more, or any length."""

BATCH: Final = 1 << 18
"""Small PDUs are given to the kernel together up to this size."""

FIRST_OR_MIDDLE, LAST_DATA, LAST_COMMAND = 0x00, 0x02, 0x03


def send_store(
    assoc: LeanAssociation,
    command: StoreCommand,
    data_set: Iterable[Buffer],
    meanwhile: Callable[[], None] = lambda: None,
) -> StoreAnswer:
    """Send one instance and wait for the peer's answer, from the calling thread, which does `meanwhile` before.

    `command.context_id` must be an accepted context in which we are SCU and whose transfer syntax the pieces are
    encoded in. Pieces are not copied: they must stay unchanged. Unavailable if the association ends or the peer
    does not answer in time; if `data_set` raises, the association is aborted, as half a message cannot be taken back.
    """
    with assoc.undisturbed():
        try:
            with assoc.message_lock:
                for buffers in encode_message(command, data_set, assoc.dimse.maximum_pdu_size):
                    assoc.dul.send_established(buffers)
        except OSError as error:
            assoc.abort()
            raise Unavailable("the association ended while an instance was sent") from error
        except BaseException:
            assoc.abort()
            raise
        meanwhile()
        return await_answer(assoc, command)


def await_answer(assoc: LeanAssociation, command: StoreCommand) -> StoreAnswer:
    """The C-STORE-RSP to `command`."""
    if not assoc.stands():
        raise Unavailable("the association ended before an instance was answered")
    response: Any = assoc.dimse.get_msg(block=True)[1]
    if response is None:
        if assoc.stands():
            assoc.abort()
            raise Unavailable("the peer did not answer in time")
        raise Unavailable("the association ended before an instance was answered")
    if not isinstance(response, C_STORE) or response.MessageIDBeingRespondedTo != command.message_id:
        assoc.abort()
        raise Unavailable("the peer answered something else")
    if response.Status is None:
        assoc.abort()
        raise Unavailable("the peer answered without a status")
    return StoreAnswer(int(response.Status), str(getattr(response, "ErrorComment", None) or ""))


def encode_message(command: StoreCommand, data_set: Iterable[Buffer], max_pdu: int) -> Iterator[list[Buffer]]:
    """The whole message as P-DATA-TF PDUs, in lists of buffers that hold one or more whole PDUs."""
    limit = min(max_pdu or LONGEST_PDU, LONGEST_PDU) - 6
    encoded = memoryview(encode_store_request(command))
    batch: list[Buffer] = []
    size = 0
    for start in range(0, len(encoded), limit):
        part = encoded[start : start + limit]
        is_last = start + limit >= len(encoded)
        batch += [pdu_header(command.context_id, len(part), LAST_COMMAND if is_last else 0x01), part]
    for pieces, length, is_last in fragments(data_set, limit):
        batch += [pdu_header(command.context_id, length, LAST_DATA if is_last else FIRST_OR_MIDDLE), *pieces]
        size += length
        if size >= BATCH or is_last:
            yield batch
            batch, size = [], 0


def pdu_header(context_id: int, length: int, control: int) -> bytes:
    return PDU_HEADER.pack(P_DATA_TF, length + 6) + PDV_HEADER.pack(length + 2, context_id, control)


def fragments(data_set: Iterable[Buffer], limit: int) -> Iterator[tuple[list[Buffer], int, bool]]:
    """The pieces regrouped into fragments of `limit` bytes: buffers, their length, and whether it is the last.

    A fragment is given out only when another byte is there or the data set is at its end, so that the last is known.
    """
    gathered: list[Buffer] = []
    length = 0
    for piece in data_set:
        view = memoryview(piece).cast("B")
        while view:
            if length == limit:
                yield gathered, length, False
                gathered, length = [], 0
            taken = view[: limit - length]
            gathered.append(taken)
            length += len(taken)
            view = view[len(taken) :]
    yield gathered, length, True
