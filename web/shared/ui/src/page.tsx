/** The frame of a page: its width, its title, what can be done there. */
import type { ReactNode } from 'react';
import { Container, Group, Stack, Text, Title } from '@mantine/core';
import { usePageTitle } from './title';

interface PageProps {
  size?: 'xs' | 'sm' | 'md' | 'lg' | 'xl';
  /** The document's title where there is no PageHeader that says it. */
  title?: string;
  children: ReactNode;
}

export function Page({ size = 'lg', title, children }: PageProps) {
  usePageTitle(title);
  return <Container size={size} py={{ base: 'md', sm: 'xl' }} px={{ base: 'md', sm: 'lg' }}><Stack gap="lg">{children}</Stack></Container>;
}

interface HeaderProps {
  title: string;
  /** What the document is called, if not by the title. */
  named?: string;
  text?: ReactNode;
  actions?: ReactNode;
}

export function PageHeader({ title, named = title, text, actions }: HeaderProps) {
  usePageTitle(named);
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
