/** What a screen shows when there is nothing, or nothing yet to be had. */
import type { ReactNode } from 'react';
import { Alert, Button, Center, Stack, Text, ThemeIcon, Title } from '@mantine/core';
import { describeError } from '@purser/api';
import { Icon } from './icons';
import type { IconName } from './icons';

export function EmptyState(props: { icon: IconName; title: string; text?: string; action?: ReactNode }) {
  return (
    <Center mih={260} p="xl">
      <Stack align="center" gap="sm" maw={380}>
        <ThemeIcon size={56} radius="xl" variant="light"><Icon name={props.icon} size={26} /></ThemeIcon>
        <Title order={2} ta="center">{props.title}</Title>
        {props.text !== undefined && <Text c="dimmed" ta="center" className="even-lines">{props.text}</Text>}
        {props.action}
      </Stack>
    </Center>
  );
}

/** In place of what could not be loaded, with a way to try again. */
export function ErrorState({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { title, detail } = describeError(error);
  return (
    <Center mih={260} p="xl" role="alert">
      <Stack align="center" gap="sm" maw={420}>
        <ThemeIcon size={56} radius="xl" variant="light" color="brass"><Icon name="alert" size={26} /></ThemeIcon>
        <Title order={2} ta="center">{title}</Title>
        <Text c="dimmed" ta="center" className="even-lines">{detail}</Text>
        {onRetry && <Button variant="default" leftSection={<Icon name="refresh" />} onClick={onRetry}>Try again</Button>}
      </Stack>
    </Center>
  );
}

/** Beside a form or a button: what the last try met. Nothing while there is no error. */
export function InlineError({ error, action }: { error: unknown; action?: ReactNode }) {
  if (error === null || error === undefined) return null;
  const { title, detail } = describeError(error);
  return (
    <Alert color="red" variant="light" title={title} icon={<Icon name="alert" />} role="alert">
      <Stack gap="xs" align="flex-start"><Text size="sm" c="var(--mantine-color-text)">{detail}</Text>{action}</Stack>
    </Alert>
  );
}
