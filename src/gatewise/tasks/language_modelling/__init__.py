"""Language modelling: a distribution over the next token; network, losses, baselines, generation."""
