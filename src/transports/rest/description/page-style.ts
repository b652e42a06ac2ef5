// Style of the reference page: beside a table of contents where there is room, on a telephone with
// folded contents and tables as cards, dark where the reader's system is.

export const pageStyle = `
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5a6475; --paper: #fff; --shade: #f4f6f9; --line: #d9dee7; --accent: #0b5cad;
  --get: #0b6b3a; --post: #0b5cad; --put: #8a4b00; --patch: #7a3ea0; --delete: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ef; --soft: #9aa5b6; --paper: #14181f; --shade: #1d232d; --line: #333c4a; --accent: #7fb6f5;
    --get: #6fd39b; --post: #7fb6f5; --put: #f0b35f; --patch: #cfa2ef; --delete: #f2938c; }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; font: 1rem/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); overflow-wrap: break-word; }
a { color: var(--accent); }
code, pre { font: 0.9em/1.45 ui-monospace, 'Cascadia Mono', Menlo, Consolas, monospace; }
:not(pre) > code { background: var(--shade); border-radius: 3px; padding: 0.1em 0.3em; }
pre { margin: 0.5rem 0; padding: 0.75rem 1rem; overflow-x: auto; background: var(--shade); border: 1px solid var(--line); border-radius: 6px; }
pre > code { font-size: 1em; }
.sample { border-left: 3px solid var(--accent); cursor: pointer; user-select: all; -webkit-user-select: all; }
main, nav { padding: 1rem; }
main { max-width: 60rem; min-width: 0; }
h1, h2, h3, h4 { line-height: 1.25; margin: 2rem 0 0.5rem; }
h1 { margin-top: 0.5rem; }
h2 { border-bottom: 1px solid var(--line); padding-bottom: 0.3rem; margin-top: 3rem; }
h4 { margin-top: 1.25rem; }
.start a { display: inline-block; margin: 0 0.4rem 0.4rem 0; padding: 0.35rem 0.8rem; border: 1px solid var(--line); border-radius: 6px; text-decoration: none; font-weight: 600; }
ol li { margin-bottom: 0.4rem; }
article { border-top: 1px solid var(--line); margin-top: 2rem; }
article:first-of-type { border-top: 0; }
article:target > h3, h2:target, h3:target, code:target { color: var(--accent); }
.anchor { text-decoration: none; color: var(--soft); opacity: 0.35; font-weight: 400; padding: 0 0.25em; }
:hover > .anchor, .anchor:focus-visible { opacity: 1; }
small, nav { color: var(--soft); }
nav { border-bottom: 1px solid var(--line); }
nav p { margin: 0.6rem 0 0; font-weight: 600; }
nav ul { list-style: none; margin: 0; padding: 0 0 0 0.75rem; }
nav li { padding: 0.15rem 0; }
nav a { text-decoration: none; }
#contents { position: absolute; opacity: 0; }
nav label { display: block; cursor: pointer; font-weight: 600; padding: 0.3rem 0; }
nav label::before { content: '▸ '; }
#contents:checked + label::before { content: '▾ '; }
#contents:focus-visible + label { outline: 2px solid var(--accent); }
.contents { display: none; }
#contents:checked ~ .contents { display: block; }
summary { cursor: pointer; }
.call { font-weight: 600; background: var(--shade); border-left: 3px solid var(--accent); padding: 0.4rem 0.75rem; }
.call code { overflow-wrap: normal; }
.method { display: inline-block; font: 700 0.8em/1 ui-monospace, Menlo, Consolas, monospace; padding: 0.3em 0.5em; border-radius: 4px; color: var(--paper); background: var(--soft); }
.get { background: var(--get); }
.post { background: var(--post); }
.put { background: var(--put); }
.patch { background: var(--patch); }
.delete { background: var(--delete); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.95em; }
th, td { text-align: left; vertical-align: top; padding: 0.4rem 0.75rem 0.4rem 0; border-bottom: 1px solid var(--line); }
td p { margin: 0 0 0.4rem; }
td:first-child { min-width: 4rem; }
@media (max-width: 45rem) {
  table, tbody, tr { display: block; }
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  tr { border: 1px solid var(--line); border-radius: 6px; padding: 0.4rem 0.75rem; margin: 0.6rem 0; }
  td { display: flex; gap: 0.75rem; padding: 0.2rem 0; border: 0; }
  td:empty { display: none; }
  td::before { content: attr(data-head); flex: 0 0 4.2rem; color: var(--soft); font-size: 0.9em; }
  td > div { min-width: 0; flex: 1; }
  .sample { white-space: pre-wrap; overflow-wrap: anywhere; }
}
@media (min-width: 70rem) {
  body { display: grid; grid-template-columns: 19rem minmax(0, 1fr); }
  nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; border-bottom: 0; border-right: 1px solid var(--line); }
  nav label { display: none; }
  #contents { display: none; }
  .contents, #contents:checked ~ .contents { display: block; }
  main { padding: 1rem 2.5rem 4rem; }
}
@media print {
  nav, .anchor { display: none; }
  details::details-content { content-visibility: visible; }
}
`;
