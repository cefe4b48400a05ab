/** A button for what should not happen by a slip: it asks first, and shows its own failure. */
import type { ReactNode } from 'react';
import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import type { ButtonProps } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation } from '@tanstack/react-query';
import { InlineError } from './states';

interface Props extends ButtonProps {
  label: string;
  question: string;
  text: ReactNode;
  confirm: string;
  action: () => Promise<unknown>;
  /** Whether something is lost by it; else the button is of the ordinary colour. */
  danger?: boolean;
  'aria-label'?: string;
}

export function ConfirmButton({ label, question, text, confirm, action, danger = true, ...button }: Props) {
  const [opened, { open, close }] = useDisclosure(false);
  const task = useMutation({ mutationFn: action, onSuccess: close });
  return (
    <>
      <Button {...button} onClick={open}>{label}</Button>
      <Modal opened={opened} onClose={close} title={<Text fw={650}>{question}</Text>} closeButtonProps={{ 'aria-label': 'Close' }}>
        <Stack>
          <Text component="div">{text}</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>{danger ? 'Keep it' : 'Leave it'}</Button>
            <Button color={danger ? 'red.8' : undefined} loading={task.isPending} onClick={() => task.mutate()}>{confirm}</Button>
          </Group>
          <InlineError error={task.error} />
        </Stack>
      </Modal>
    </>
  );
}
