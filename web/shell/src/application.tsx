/** The providers around everything, outermost first. */
import { useEffect, useState } from 'react';
import { BrowserRouter, makeQueryClient, MantineProvider, QueryClientProvider, theme } from '@purser/ui';
import { useRecovery } from './away';
import { keepFocus } from './focus';
import { Frame } from './frame';
import { useLiveCache } from './live-cache';
import { useForgetOnSignOut } from './forget';

export function Application() {
  const [client] = useState(makeQueryClient);
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={client}>
        <BrowserRouter>
          <Effects />
          <Frame />
        </BrowserRouter>
      </QueryClientProvider>
    </MantineProvider>
  );
}

function Effects() {
  useLiveCache();
  useForgetOnSignOut();
  useRecovery();
  useEffect(keepFocus, []);
  return null;
}
