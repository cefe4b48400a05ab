import { screen, waitFor } from '@testing-library/react';
import { afterEach, describe, expect, it } from 'vitest';
import { endSession } from '@purser/api';
import { draw } from '../../testing/render';
import { refused, serve } from '../../testing/server';
import { tokens } from '../../testing/data';
import App from '../src/app';
import { SignInPage } from '../src/sign-in-page';

const LOGIN = 'POST /api/v1/auth/login';
const REGISTER = 'POST /api/v1/auth/register';
afterEach(() => endSession('chosen'));

async function signIn(user: ReturnType<typeof draw>['user'], email = 'ada@example.com', password = 'a fine sentence') {
  await user.type(screen.getByLabelText(/^Email/), email);
  await user.type(screen.getByLabelText(/^Password/), password);
  await user.click(screen.getByRole('button', { name: 'Sign in' }));
}

describe('sign in', () => {
  it('goes on to where one wanted to be', async () => {
    serve({ [LOGIN]: { body: tokens } });
    const { user } = draw(<SignInPage />, '/sign-in?next=%2Fcheckout');
    await signIn(user);
    await waitFor(() => expect(screen.getByTestId('where').textContent).toBe('/checkout'));
  });

  it('asks the server nothing for an empty form', async () => {
    const { asked } = serve({});
    const { user } = draw(<App />, '/sign-in');
    await user.click(screen.getByRole('button', { name: 'Sign in' }));
    expect(await screen.findByText('Enter an email address')).toBeTruthy();
    await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText(/^Email/)));
    expect(asked).toHaveLength(0);
  });

  it('does not say which of the two was wrong, and keeps what was typed', async () => {
    serve({ [LOGIN]: refused(401, 'unauthorized', 'Not signed in') });
    const { user } = draw(<App />, '/sign-in');
    await signIn(user);
    expect(await screen.findByText('The email or the password is not right.')).toBeTruthy();
    await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText(/^Password/)));
    expect((screen.getByLabelText(/^Email/) as HTMLInputElement).value).toBe('ada@example.com');
  });

  it('says how long to wait after too many tries', async () => {
    serve({ [LOGIN]: refused(429, 'rate-limited', 'Too many', {}, { 'Retry-After': '42' }) });
    const { user } = draw(<App />, '/sign-in');
    await signIn(user);
    expect(await screen.findByText(/42 seconds/)).toBeTruthy();
  });

  it('stays calm while the API is down', async () => {
    serve({ [LOGIN]: new TypeError('failed to fetch') });
    const { user } = draw(<App />, '/sign-in');
    await signIn(user);
    expect(await screen.findByText(/Can’t reach the server/)).toBeTruthy();
  });
});

describe('register', () => {
  it('shows the server’s complaint at its field', async () => {
    serve({ [REGISTER]: refused(409, 'email-taken', 'Email taken', { errors: [{ pointer: '/email', detail: 'is taken' }] }) });
    const { user } = draw(<App />, '/register');
    await user.type(screen.getByLabelText(/^Name/), 'Ada');
    await user.type(screen.getByLabelText(/^Email/), 'ada@example.com');
    await user.type(screen.getByLabelText(/^Password/), 'a fine sentence');
    await user.click(screen.getByRole('button', { name: 'Create account' }));
    await screen.findByText('Is taken');
    expect(screen.getByLabelText(/^Email/).getAttribute('aria-invalid')).toBe('true');
    await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText(/^Email/)));
  });
});
