import { screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { ApiError } from '@purser/api';
import { ErrorState } from '@purser/ui';
import { ConfirmButton } from '@purser/ui/pages';
import { draw } from '../../../testing/render';
import { problem } from '../../../testing/server';

it('says what went wrong and offers another try', async () => {
  const again = vi.fn();
  const { user } = draw(<ErrorState error={new ApiError('network', 0, null)} onRetry={again} />);
  await user.click(screen.getByRole('button', { name: 'Try again' }));
  expect(again).toHaveBeenCalledOnce();
  expect(screen.getByRole('alert').textContent).toContain('Can’t reach the server');
});

it('asks before it acts, and stays open with the reason when that fails', async () => {
  const action = vi.fn().mockRejectedValueOnce(new ApiError('problem', 409, problem(409, 'conflict', 'Too late') as never)).mockResolvedValueOnce(null);
  const { user } = draw(<ConfirmButton label="Cancel" question="Sure?" text="Really." confirm="Yes" action={action} />);
  await user.click(screen.getByRole('button', { name: 'Cancel' }));
  expect(action).not.toHaveBeenCalled();
  await user.click(await screen.findByRole('button', { name: 'Yes' }));
  expect(await screen.findByText('Too late')).toBeTruthy();
  await user.click(screen.getByRole('button', { name: 'Yes' }));
  await vi.waitFor(() => expect(screen.queryByText('Really.')).toBeNull());
});
