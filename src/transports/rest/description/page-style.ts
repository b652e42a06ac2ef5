// How the reference looks: readable on a telephone, beside a table of contents where there is room,
// dark where the reader's system is.

export const pageStyle = `
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5a6475; --paper: #fff; --shade: #f4f6f9; --line: #d9dee7; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ef; --soft: #9aa5b6; --paper: #14181f; --shade: #1d232d; --line: #333c4a; --accent: #7fb6f5; }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; font: 1rem/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); overflow-wrap: break-word; }
a { color: var(--accent); }
code, pre { font: 0.9em/1.45 ui-monospace, 'Cascadia Mono', Menlo, Consolas, monospace; }
:not(pre) > code { background: var(--shade); border-radius: 3px; padding: 0.1em 0.3em; }
pre { margin: 0.5rem 0; padding: 0.75rem 1rem; overflow-x: auto; background: var(--shade); border: 1px solid var(--line); border-radius: 6px; }
main, nav { padding: 1rem; }
main { max-width: 60rem; min-width: 0; }
h1, h2, h3, h4 { line-height: 1.25; margin: 2rem 0 0.5rem; }
h2 { border-bottom: 1px solid var(--line); padding-bottom: 0.3rem; margin-top: 3rem; }
h4 { margin-top: 1.25rem; }
article { border-top: 1px solid var(--line); margin-top: 2rem; }
article:first-of-type { border-top: 0; }
small, nav { color: var(--soft); }
nav { max-height: 45vh; overflow-y: auto; border-bottom: 1px solid var(--line); }
nav p { margin: 0.6rem 0 0; font-weight: 600; }
nav ul { list-style: none; margin: 0; padding: 0 0 0 0.75rem; }
nav li { padding: 0.15rem 0; }
nav a { text-decoration: none; }
summary { cursor: pointer; }
.call { font-weight: 600; background: var(--shade); border-left: 3px solid var(--accent); padding: 0.4rem 0.75rem; overflow-x: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.95em; }
th, td { text-align: left; vertical-align: top; padding: 0.4rem 0.75rem 0.4rem 0; border-bottom: 1px solid var(--line); }
td p { margin: 0 0 0.4rem; }
td:first-child { white-space: nowrap; }
@media (max-width: 40rem) { td:first-child { white-space: normal; } td { min-width: 7rem; } }
@media (min-width: 70rem) {
  body { display: grid; grid-template-columns: 19rem minmax(0, 1fr); }
  nav { position: sticky; top: 0; height: 100vh; max-height: none; border-bottom: 0; border-right: 1px solid var(--line); }
  main { padding: 1rem 2.5rem 4rem; }
}
`;
