/** The card around the two forms through which one enters. It is the last on the page, so that what is said at its end moves nothing. */
import type { ReactNode } from 'react';
import { Box, Card, Container, Stack, Text, Title, usePageTitle } from '@purser/ui';

const GLOW = 'radial-gradient(60rem 28rem at 50% -6rem, color-mix(in srgb, var(--mantine-color-harbor-5) 22%, transparent), transparent)';

interface Props {
  title: string;
  named: string;
  text: string;
  /** The way to the other form. */
  other: ReactNode;
  children: ReactNode;
}

export function EntryCard({ title, named, text, other, children }: Props) {
  usePageTitle(named);
  return (
    <Box mih="calc(100dvh - 60px)" style={{ background: GLOW }}>
      <Container size={460} py={{ base: 'xl', sm: 72 }} px="md">
        <Stack gap="lg">
          <Stack gap={6} align="center">
            <Title order={1} ta="center" style={{ letterSpacing: '-0.02em' }}>{title}</Title>
            <Text c="dimmed" ta="center">{text}</Text>
            <Text ta="center" component="div">{other}</Text>
          </Stack>
          <Card padding="xl" shadow="sm">{children}</Card>
        </Stack>
      </Container>
    </Box>
  );
}
