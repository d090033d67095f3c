"""How good are decisions? Second reviews of decided cases, and what became of actions."""
