/** How a form is refused: the words at their fields, the focus on the first that is wrong, the rest below the button. */
import { screen, waitFor } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { ApiError } from '@purser/api';
import { InlineError, TextInput, useFirstWrong, useForm, useSubmit } from '@purser/ui';
import { draw } from '../../../testing/render';
import { problem } from '../../../testing/server';

type Send = (values: { email: string; name: string }) => Promise<unknown>;

function Sample({ send, wordsOf }: { send: Send; wordsOf?: (error: unknown) => Record<string, string> }) {
  const form = useForm({ initialValues: { email: '', name: '' }, validate: { name: (name) => (name === '' ? 'Missing' : null) } });
  const { props, error } = useSubmit(form, { send, wordsOf });
  return <form {...props}><TextInput label="Email" {...form.getInputProps('email')} /><TextInput label="Name" {...form.getInputProps('name')} /><button>Send</button><InlineError error={error} /></form>;
}

const refusal = (...pointers: string[]) => new ApiError('problem', 422, problem(422, 'invalid', 'Not valid', { errors: pointers.map((pointer) => ({ pointer, detail: `bad ${pointer}` })) }) as never);
const hasFocus = (element: HTMLElement) => waitFor(() => expect(document.activeElement).toBe(element));

async function submit(send: Send, name = 'Ada', wordsOf?: (error: unknown) => Record<string, string>) {
  const { user } = draw(<Sample send={send} wordsOf={wordsOf} />);
  if (name !== '') await user.type(screen.getByLabelText('Name'), name);
  await user.click(screen.getByRole('button', { name: 'Send' }));
}

it('our check refuses: nothing is sent, the focus goes to the first wrong field, each time', async () => {
  const send = vi.fn();
  await submit(send, '');
  await hasFocus(screen.getByLabelText('Name'));
  screen.getByRole('button', { name: 'Send' }).focus();
  screen.getByRole('button', { name: 'Send' }).click();
  await hasFocus(screen.getByLabelText('Name'));
  expect(send).not.toHaveBeenCalled();
});

it('the server refuses: the focus goes to the first of the fields that it names, and nothing else is said', async () => {
  await submit(vi.fn().mockRejectedValue(refusal('/name', '/email')));
  await screen.findByText('Bad /email');
  await hasFocus(screen.getByLabelText('Email'));
  expect(screen.getByText('Bad /name')).toBeTruthy();
  expect(screen.queryByText('Not valid')).toBeNull();
});

it('what is about no field is said below, and so is what nobody knows', async () => {
  await submit(vi.fn().mockRejectedValue(refusal('/name', '/other')));
  expect(await screen.findByText('Not valid')).toBeTruthy();
  await hasFocus(screen.getByLabelText('Name'));
});

it('a failure that is about no field leaves the focus at the button', async () => {
  await submit(vi.fn().mockRejectedValue(new ApiError('network', 0, null)));
  await screen.findByText('Can’t reach the server');
  await hasFocus(screen.getByRole('button', { name: 'Send' }));
});

it('a refusal in words of our own stands at its field', async () => {
  await submit(vi.fn().mockRejectedValue(new Error('no')), 'Ada', () => ({ email: 'Not this one' }));
  await screen.findByText('Not this one');
  await hasFocus(screen.getByLabelText('Email'));
});

it('is sent once however often the button is pressed, and sent again after a refusal', async () => {
  let refuse = (_: unknown) => {};
  const send = vi.fn().mockImplementationOnce(() => new Promise((_, reject) => { refuse = reject; })).mockResolvedValueOnce(null);
  await submit(send);
  screen.getByRole('button', { name: 'Send' }).click();
  expect(send).toHaveBeenCalledTimes(1);
  refuse(refusal('/name'));
  await screen.findByText('Bad /name');
  screen.getByRole('button', { name: 'Send' }).click();
  await waitFor(() => expect(send).toHaveBeenCalledTimes(2));
  await waitFor(() => expect(screen.queryByText('Bad /name')).toBeNull());
});

it('fields without a form of the library: the server’s words, too, lead to the first', async () => {
  function Bare({ error }: { error: unknown }) {
    const [area, refused] = useFirstWrong<HTMLDivElement>(error);
    return <div ref={area}><TextInput label="One" /><TextInput label="Off" error="Wrong" disabled /><TextInput label="Two" error="Wrong" /><button onClick={refused}>Go</button></div>;
  }
  const { user, unmount } = draw(<Bare error={null} />);
  expect(document.activeElement).toBe(document.body);
  await user.click(screen.getByRole('button', { name: 'Go' }));
  await hasFocus(screen.getByLabelText('Two'));
  unmount();
  draw(<Bare error={refusal('/two')} />);
  await hasFocus(screen.getByLabelText('Two'));
});
