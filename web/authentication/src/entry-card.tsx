/** The card around the two forms through which one enters. */
import type { ReactNode } from 'react';
import { Card, Container, Stack, Text, Title, useDocumentTitle } from '@purser/ui';

export function EntryCard({ title, text, children, below }: { title: string; text: string; children: ReactNode; below: ReactNode }) {
  useDocumentTitle(`${title} · Purser`);
  return (
    <Container size={460} py={{ base: 'xl', sm: 64 }} px="md">
      <Stack gap="lg">
        <Stack gap={6} align="center">
          <Title order={1} ta="center" style={{ letterSpacing: '-0.02em' }}>{title}</Title>
          <Text c="dimmed" ta="center">{text}</Text>
        </Stack>
        <Card padding="xl" shadow="sm">{children}</Card>
        <Text ta="center" size="sm" component="div">{below}</Text>
      </Stack>
    </Container>
  );
}
