/** What a screen shows when there is nothing, or nothing yet to be had. */
import { useEffect, useRef } from 'react';
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

/** Below a form's button, at the end of its card or dialog: what the last try met. Nothing while there is no error. */
export function InlineError({ error }: { error: unknown }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    place.current?.scrollIntoView({ block: 'nearest' });
  }, [error]);
  if (error === null || error === undefined) return null;
  const { title, detail } = describeError(error);
  return (
    <Alert ref={place} className="inline-error" color="red" variant="light" title={title} icon={<Icon name="alert" />} role="alert">
      <Text size="sm" c="var(--mantine-color-text)">{detail}</Text>
    </Alert>
  );
}

/** The last row of what other things follow: its buttons, and a hint that gives its place to an error, so that nothing moves. */
export function FormFoot({ hint, error, children }: { hint: string; error: unknown; children: ReactNode }) {
  return <div className="form-foot">{children}{error ? <FootError error={error} /> : <Text size="sm" c="dimmed">{hint}</Text>}</div>;
}

function FootError({ error }: { error: unknown }) {
  const { title, detail } = describeError(error);
  return <Text size="sm" role="alert"><Text span inherit fw={650} c="var(--mantine-color-error)">{title}.</Text> {detail}</Text>;
}
