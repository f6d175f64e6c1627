// Filled by the trust tests below: one fleet, made by hand, attacked step by step.
