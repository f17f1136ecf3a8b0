"""Fair sweeps over self-supervised pretraining methods for skeleton action recognition."""
