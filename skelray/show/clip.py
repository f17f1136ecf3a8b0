"""How a clip looks: every frame and body as the store keeps them."""

from skelray.data.store import Store
from skelray.show import recorded, source
from skelray.show.scene import Scene


def scene(clips: Store, clip: int) -> Scene:
    """One panel. Raises BadInput when there is no such clip."""
    source.refuse_clip(clips, clip)
    seen = recorded.view(clips)
    told = f"Animated skeleton, {source.described(clips, clip)}, {recorded.sizes(clips, clip)}"
    title = source.heading(clips, clip)
    panel = recorded.panel(
        clips, clip, seen, title=recorded.spoken(clips, clip), told=told, note=recorded.sizes(clips, clip)
    )
    lead = (f"As the store keeps it, from the front, {seen.up} upwards. {seen.pace}",)
    facts = {"clip": str(clips.clip_name[clip]), "layout": clips.skeleton.name}
    assert panel.reach is not None
    return Scene(title, lead, clips.skeleton, (panel,), panel.reach, seen.rate, facts)
