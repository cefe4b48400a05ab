/**
 * How each package is built: the shell as a page that hosts, the others as remotes that it finds at run time. React and
 * our own shared packages are in the page once, in the shell; remotes bring none of them.
 */
import { fileURLToPath } from 'node:url';
import { federation } from '@module-federation/vite';
import react from '@vitejs/plugin-react';

export const REMOTES = ['authentication', 'orders', 'notifications', 'functions', 'operations'];
export const OUTPUT = process.env.PURSER_WEB_OUTPUT ?? fileURLToPath(new URL('../../build/web', import.meta.url));

/** The machinery that joins packages is in the page before any remote is, so remotes use the shell's. */
const SHELLS_RUNTIME = fileURLToPath(new URL('./shells-runtime.js', import.meta.url));

const SHARED = ['react', 'react/jsx-runtime', '@purser/ui', '@purser/ui/pages', '@purser/api', '@purser/live'];

export function configOf(name) {
  const host = name === 'shell';
  const rule = { singleton: true, requiredVersion: false, ...(host ? {} : { import: false }) };
  return {
    root: fileURLToPath(new URL(`../${name}`, import.meta.url)),
    configFile: false,
    base: `/assets/${name}/`,
    logLevel: 'warn',
    plugins: [
      react(),
      federation({
        name,
        filename: 'entry-[hash].js',
        dts: false,
        manifest: false,
        ...(host ? {} : { exposes: { './app': './src/app.tsx' } }),
        shared: Object.fromEntries(SHARED.map((one) => [one, rule])),
      }),
    ],
    resolve: host ? {} : { alias: [{ find: /^@module-federation\/runtime(\/helpers)?$/, replacement: SHELLS_RUNTIME }] },
    build: {
      outDir: `${OUTPUT}/assets/${name}`,
      assetsDir: '',
      emptyOutDir: true,
      target: 'es2022',
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 2000,
      rollupOptions: {
        ...(host ? {} : { input: 'src/app.tsx' }),
        output: { chunkFileNames: 'c-[hash].js', assetFileNames: '[name]-[hash][extname]' },
      },
    },
  };
}
