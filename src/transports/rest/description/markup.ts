// Markup of the description's texts as HTML: paragraphs, lists, `code` and links within the page.
// It is a small part of CommonMark; everything else is text.

/** Text as HTML shows it, in elements and in attributes. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** One line. */
export function renderLine(text: string): string {
  return escapeHtml(text)
    .replace(/`([^`]+)`/g, '<code>$1</code>')
    .replace(/\[([^\]]+)\]\((#[\w-]+)\)/g, '<a href="$2">$1</a>');
}

/** Paragraphs, and lists whose lines begin with a hyphen. */
export function renderText(text: string): string {
  return text
    .split(/\n\n+|\n(?=- )|(?<=^- .*)\n(?!- )/m)
    .map((part) => (part.startsWith('- ') ? `<li>${renderLine(part.slice(2))}</li>` : `<p>${renderLine(part)}</p>`))
    .join('\n')
    .replace(/(?:<li>.*<\/li>\n?)+/g, (items) => `<ul>${items.trimEnd()}</ul>\n`);
}

/** Words of a list item or a table as a sentence of their own. */
export function toSentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
