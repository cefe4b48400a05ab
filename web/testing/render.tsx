/** Draws a component as the shell would, at an address. */
import type { ReactElement } from 'react';
import { render } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { MantineProvider, MemoryRouter, QueryClient, QueryClientProvider, theme, useLocation } from '@purser/ui';
import { Notifications } from '@purser/ui/pages';

export function draw(element: ReactElement, at = '/') {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false }, mutations: { retry: false } } });
  const view = render(
    <MantineProvider theme={theme} env="test">
      <QueryClientProvider client={client}>
        <MemoryRouter initialEntries={[at]}><Notifications /><Where />{element}</MemoryRouter>
      </QueryClientProvider>
    </MantineProvider>,
  );
  return { ...view, client, user: userEvent.setup({ delay: null }) };
}

function Where() {
  const { pathname, search } = useLocation();
  return <output data-testid="where">{pathname + search}</output>;
}
