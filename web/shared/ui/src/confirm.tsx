/** A button for what cannot be undone: it asks first, and shows its own failure. */
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
}

export function ConfirmButton({ label, question, text, confirm, action, ...button }: Props) {
  const [opened, { open, close }] = useDisclosure(false);
  const task = useMutation({ mutationFn: action, onSuccess: close });
  return (
    <>
      <Button {...button} onClick={open}>{label}</Button>
      <Modal opened={opened} onClose={close} title={<Text fw={650}>{question}</Text>} closeButtonProps={{ 'aria-label': 'Close' }}>
        <Stack>
          <Text component="div">{text}</Text>
          <InlineError error={task.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>Keep it</Button>
            <Button color="red.8" loading={task.isPending} onClick={() => task.mutate()}>{confirm}</Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
