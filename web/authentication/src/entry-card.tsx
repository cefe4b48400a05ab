/** The card around the two forms through which one enters. */
import type { ReactNode } from 'react';
import { Box, Card, Container, Stack, Text, Title, usePageTitle } from '@purser/ui';

const GLOW = 'radial-gradient(60rem 28rem at 50% -6rem, color-mix(in srgb, var(--mantine-color-harbor-5) 22%, transparent), transparent)';

export function EntryCard({ title, named, text, children, below }: { title: string; named: string; text: string; children: ReactNode; below: ReactNode }) {
  usePageTitle(named);
  return (
    <Box mih="calc(100dvh - 60px)" style={{ background: GLOW }}>
      <Container size={460} py={{ base: 'xl', sm: 72 }} px="md">
        <Stack gap="lg">
          <Stack gap={6} align="center">
            <Title order={1} ta="center" style={{ letterSpacing: '-0.02em' }}>{title}</Title>
            <Text c="dimmed" ta="center">{text}</Text>
          </Stack>
          <Card padding="xl" shadow="sm">{children}</Card>
          <Text ta="center" size="sm" component="div">{below}</Text>
        </Stack>
      </Container>
    </Box>
  );
}
