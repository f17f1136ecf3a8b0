"""Pictures of skeletons: a clip, what a mask hides, what a method fills in, what a method makes up.

`clip`, `mask`, `reconstruction` and `sample` each answer one question with a `scene.Scene`; `page` and `gif` draw any
scene. Nothing here is needed to train or to measure.
"""
