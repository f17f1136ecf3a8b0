"""How a clip looks: every frame and body as the store keeps them."""

import numpy as np

from skelray.data.store import Store
from skelray.show import source, upright
from skelray.show.scene import RATE, Panel, Scene, reach


def scene(clips: Store, clip: int) -> Scene:
    """One panel. Raises BadInput when there is no such clip."""
    source.refuse_clip(clips, clip)
    up = upright.of_store(clips)
    joints = upright.seen(np.array(clips.joints(clip)), up)
    bodies, frames = joints.shape[:2]
    who = "1 body" if bodies == 1 else f"{bodies} bodies"
    told = f"Animated skeleton, {source.described(clips, clip)}, {who}, {frames} frames"
    panel = Panel(source.spoken(clips, clip), told, joints, f"{who}, {frames} frames")
    lead = (
        f"As the store keeps it, from the front, {up} upwards. Stores record no frame rate: {RATE:g} frames a second "
        "are taken for granted.",
    )
    facts = {"clip": str(clips.clip_name[clip]), "layout": clips.skeleton.name}
    return Scene(
        source.described(clips, clip).capitalize(), lead, clips.skeleton, (panel,), reach([joints]), facts=facts
    )
