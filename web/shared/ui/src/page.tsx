/** The frame of a page: its width, its title, what can be done there. */
import type { ReactNode } from 'react';
import { Container, Group, Stack, Text, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';

export function Page({ size = 'lg', children }: { size?: 'xs' | 'sm' | 'md' | 'lg' | 'xl'; children: ReactNode }) {
  return <Container size={size} py={{ base: 'md', sm: 'xl' }} px={{ base: 'md', sm: 'lg' }}><Stack gap="lg">{children}</Stack></Container>;
}

export function PageHeader({ title, text, actions }: { title: string; text?: ReactNode; actions?: ReactNode }) {
  useDocumentTitle(`${title} · Purser`);
  return (
    <Group justify="space-between" align="flex-end" gap="md">
      <Stack gap={4}>
        <Title order={1} style={{ letterSpacing: '-0.02em' }}>{title}</Title>
        {text !== undefined && <Text c="dimmed" component="div">{text}</Text>}
      </Stack>
      {actions !== undefined && <Group gap="sm" className="page-actions">{actions}</Group>}
    </Group>
  );
}
