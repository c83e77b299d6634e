"""Full detector and device profile in; deployable bundle and measured receipt out."""
