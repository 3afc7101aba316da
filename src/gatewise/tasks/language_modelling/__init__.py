"""Language modelling: embedding, recurrent layers, a distribution over the next token; losses, baselines, generation."""
