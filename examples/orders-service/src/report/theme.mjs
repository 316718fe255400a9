/** Colours of the pictures and the page, for light and dark surroundings. Red is for holding the loop, and nothing else. */
export const theme = `
  :root {
    color-scheme: light dark;
    --paper: #ffffff; --ink: #1f2328; --muted: #59636e; --rule: #d8dee4; --panel: #f6f8fa;
    --held: #cf222e; --held-soft: #ffebe9; --still: #8c959f; --open: #d0d7de; --work: #4493f8; --good: #1a7f37;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --paper: #0d1117; --ink: #e6edf3; --muted: #9198a1; --rule: #30363d; --panel: #151b23;
      --held: #f85149; --held-soft: #3d1518; --still: #7d8590; --open: #30363d; --work: #4493f8; --good: #3fb950;
    }
  }
`;

export const pictureStyle = `
  .picture { font-family: system-ui, -apple-system, 'Segoe UI', sans-serif; font-size: 13px; }
  .picture text { fill: var(--ink); }
  .picture .muted { fill: var(--muted); }
  .picture .small { font-size: 11.5px; }
  .picture .strong { font-weight: 600; }
  .picture .held-text { fill: var(--held); font-weight: 600; }
  .picture .code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 12px; }
  .picture .rule { stroke: var(--rule); stroke-width: 1; }
  .picture .paper { fill: var(--paper); }
  .picture .held { fill: var(--held); }
  .picture .held-soft { fill: var(--held-soft); }
  .picture .still { fill: url(#still); }
  .picture .still-line { stroke: var(--still); stroke-width: 2; }
  .picture .open { fill: var(--open); }
  .picture .work { fill: var(--work); }
  .picture .good { fill: var(--good); }
`;
