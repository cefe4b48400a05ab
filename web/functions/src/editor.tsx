/** A code editor: CodeMirror with JavaScript, in the application's colours. */
import { useEffect, useRef } from 'react';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { javascript } from '@codemirror/lang-javascript';
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';

const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier], color: 'light-dark(#8b2f8f, #d8a1e0)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'light-dark(#0b6b3a, #9bd7a5)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'light-dark(#9c4a00, #f4a838)' },
  { tag: [tags.comment], color: 'light-dark(#5a6672, #93a1b1)', fontStyle: 'italic' },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName)], color: 'light-dark(#075c8f, #7cc4f0)' },
  { tag: [tags.definition(tags.variableName)], color: 'light-dark(#0b726d, #76c9c3)' },
]);

const LOOK = EditorView.theme({
  '&': { border: '1px solid var(--purser-line)', borderRadius: '0.6rem', fontSize: '0.85rem', background: 'var(--mantine-color-body)' },
  '&:has([aria-invalid=true])': { borderColor: 'var(--mantine-color-error)' },
  '&.cm-focused': { outline: '2px solid var(--mantine-color-harbor-5)' },
  '.cm-scroller': { fontFamily: 'var(--mantine-font-family-monospace)', lineHeight: '1.6', minHeight: '320px', maxHeight: '60vh' },
  '.cm-gutters': { background: 'transparent', border: 'none', color: 'var(--mantine-color-dimmed)' },
  '.cm-activeLine': { background: 'color-mix(in srgb, var(--mantine-color-harbor-5) 8%, transparent)' },
  '.cm-content': { caretColor: 'var(--mantine-color-text)' },
  '.cm-cursor': { borderLeftColor: 'var(--mantine-color-text)' },
});

interface Props {
  value: string;
  label: string;
  /** Whether something is said against it, and the id of what says so. */
  wrong: boolean;
  describedBy: string;
  onChange: (value: string) => void;
}

export function Editor({ value, label, wrong, describedBy, onChange }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const change = useRef(onChange);
  const first = useRef(value);
  change.current = onChange;
  useEffect(() => {
    const editor = new EditorView({ parent: place.current!, state: EditorState.create({ doc: first.current, extensions: [
      lineNumbers(), history(), indentOnInput(), bracketMatching(), highlightActiveLine(), javascript(), syntaxHighlighting(COLOURS), LOOK,
      keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
      EditorView.contentAttributes.of({ 'aria-label': label, 'aria-describedby': describedBy, tabindex: '0' }),
      EditorView.updateListener.of((update) => update.docChanged && change.current(update.state.doc.toString())),
    ] }) });
    view.current = editor;
    return () => editor.destroy();
  }, [label, describedBy]);
  useEffect(() => {
    const editor = view.current;
    if (editor === null || editor.state.doc.toString() === value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);
  useEffect(() => view.current!.contentDOM.setAttribute('aria-invalid', String(wrong)), [wrong]);
  return <div ref={place} />;
}
