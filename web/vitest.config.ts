/** Component and rule tests of every package. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'happy-dom',
    include: ['*/tests/**/*.test.{ts,tsx}', 'shared/*/tests/**/*.test.{ts,tsx}'],
    setupFiles: ['./testing/setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    isolate: true,
    testTimeout: 120_000,
    // Bundled once: every file of tests has its own copy of the kit, which is hundreds of modules otherwise.
    deps: { optimizer: { client: { enabled: true, include: ['@mantine/core', '@mantine/form', '@mantine/hooks', '@mantine/notifications'] } } },
  },
});
