"""Pictures of instances: rendered when they are asked for, thumbnails once (PS3.18 10.4.1.1.3, 10.4.1.1.4)."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson

from storage.blobs.base import BlobStore
from vna.archive.retrieve import Retrieval
from vna.model.access import Actor
from vna.model.errors import NotAcceptable, NotFound, VnaError
from vna.model.instances import Instance, Selection
from vna.pixels.header import Header
from vna.pixels.render import DEFAULT, JPEG, RenderRules, render_pieces, thumbnail_rules
from vna.pixels.viewport import Viewport

log = logging.getLogger(__name__)

_REFERENCED_SERIES, _REFERENCED_IMAGE, _REFERENCED_UID = "00081115", "00081140", "00081155"
_PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11."
_MOST_FRAMES = 10_000
"""Frames of one animated picture."""


class Rendering:
    """Renders what an actor may retrieve."""

    def __init__(self, retrieval: Retrieval, blobs: BlobStore) -> None:
        self._retrieval = retrieval
        self._blobs = blobs

    def rendered(
        self,
        actor: Actor,
        instance: Instance,
        numbers: Sequence[int] = (1,),
        rules: RenderRules = DEFAULT,
        media_type: str = JPEG,
    ) -> bytes:
        """Frames of an instance as one picture; see `pieces`."""
        return b"".join(self.pieces(actor, instance, numbers, rules, media_type))

    def pieces(
        self, actor: Actor, instance: Instance, numbers: Sequence[int], rules: RenderRules, media_type: str
    ) -> Iterator[bytes]:
        """The picture as it is made, frame by frame; of a presentation state the first image that it is about.

        NotAcceptable when there is nothing to be shown, NotFound past the last frame.
        """
        header = self._header(actor, instance)
        if len(numbers) > _MOST_FRAMES:
            raise NotAcceptable(f"one picture has at most {_MOST_FRAMES} frames; ask for some of them")
        if instance.sop_class_uid.startswith(_PRESENTATION_STATE):
            instance, rules = self._shown(actor, self._state(actor, instance, header), rules)
            header = self._header(actor, instance)
        return render_pieces(
            header,
            instance.transfer_syntax_uid,
            self._frames(actor, instance, numbers),
            rules,
            media_type,
            numbers=numbers,
            bulk=lambda path: self._retrieval.bulk(actor, instance, path).read(),
        )

    def presentation(self, actor: Actor, sop_instance_uid: str) -> Header:
        """A presentation state, for RenderRules; NotFound when it is none."""
        for instance in self._retrieval.instances(actor, Selection(sop_instance_uids=(sop_instance_uid,))):
            if instance.sop_class_uid.startswith(_PRESENTATION_STATE):
                return self._state(actor, instance, self._header(actor, instance))
        raise NotFound("no such presentation state")

    def thumbnail(self, actor: Actor, instance: Instance, number: int = 1, viewport: Viewport | None = None) -> bytes:
        """A small JPEG; that of our own size is made at the first request and kept beside the instance."""
        if viewport is not None:
            return self.rendered(actor, instance, [number], thumbnail_rules(viewport))
        name = f"thumbnails/{instance.sha256[:2]}/{instance.sha256}.{instance.version}.{number}.jpg"
        self._retrieval.state(actor, instance.study_instance_uid)  # may it be retrieved?
        try:
            return self._blobs.read(name)
        except NotFound:
            picture = self.rendered(actor, instance, [number], thumbnail_rules())
        try:
            self._blobs.put(name, [picture])
        except VnaError as error:  # another process was first, or there is no space: it is made again
            log.info("thumbnail not kept", extra={"reason": str(error)})
        return picture

    def _frames(self, actor: Actor, instance: Instance, numbers: Sequence[int]) -> Iterator[bytes]:
        if not instance.number_of_frames:
            return iter(())
        return (frame.read() for frame in self._retrieval.frames(actor, instance, numbers))

    def _header(self, actor: Actor, instance: Instance) -> dict[str, Any]:
        header: dict[str, Any] = orjson.loads(self._retrieval.metadata(actor, instance))
        return header

    def _state(self, actor: Actor, instance: Instance, header: dict[str, Any]) -> Header:
        return Header(header, lambda path: self._retrieval.bulk(actor, instance, path).read())

    def _shown(self, actor: Actor, state: Header, rules: RenderRules) -> tuple[Instance, RenderRules]:
        for series in state.items(_REFERENCED_SERIES):
            for image in series.items(_REFERENCED_IMAGE):
                uid = image.text(_REFERENCED_UID)
                for instance in self._retrieval.instances(actor, Selection(sop_instance_uids=(uid,))) if uid else ():
                    return instance, replace(rules, presentation=state)
        raise NotFound("none of the images of the presentation state is held")
