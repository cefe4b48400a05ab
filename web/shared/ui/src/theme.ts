/** Colours, type and defaults of the whole application. */
import { createTheme } from '@mantine/core';
import type { MantineColorsTuple } from '@mantine/core';

const harbor: MantineColorsTuple = [
  '#ecf8f7', '#d5eeec', '#a8dcd8', '#76c9c3', '#4db8b0', '#2fa49c', '#168c85', '#0b726d', '#075c58', '#044845',
];
const brass: MantineColorsTuple = [
  '#fff6e5', '#ffebcc', '#fbd49b', '#f7bc65', '#f4a838', '#f29b1c', '#d98308', '#9c5b00', '#874e00', '#6e3f00',
];
const dark: MantineColorsTuple = [
  '#d5dbe3', '#b3bcc9', '#98a4b4', '#6b7889', '#42505f', '#33404e', '#26313d', '#1a232d', '#131a22', '#0d1319',
];

export const theme = createTheme({
  primaryColor: 'harbor',
  primaryShade: 7,
  autoContrast: true,
  luminanceThreshold: 0.34,
  colors: { harbor, brass, dark },
  fontFamily: '"Inter Variable", system-ui, -apple-system, "Segoe UI", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SFMono-Regular", Menlo, Consolas, "Liberation Mono", monospace',
  headings: { fontWeight: '680', sizes: { h1: { fontSize: '1.75rem', lineHeight: '1.2' }, h2: { fontSize: '1.25rem' } } },
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Card: { defaultProps: { withBorder: true, radius: 'lg', padding: 'lg' } },
    Paper: { defaultProps: { radius: 'lg' } },
    Button: { defaultProps: { radius: 'md' } },
    Badge: { defaultProps: { variant: 'light', radius: 'sm' }, styles: { root: { minWidth: 'max-content' } } },
    Modal: { defaultProps: { yOffset: 'min(12dvh, 4rem)', radius: 'lg' } }, // fixed at its top, since it may grow
    Notification: {
      defaultProps: { closeButtonProps: { 'aria-label': 'Dismiss' }, radius: 'lg', withBorder: true },
      styles: { description: { color: 'var(--mantine-color-dimmed)' } },
    },
    Table: { defaultProps: { verticalSpacing: 'sm' } },
    TextInput: { defaultProps: { size: 'md' } },
    PasswordInput: { defaultProps: { size: 'md' } },
  },
});
