/** One calm line while the browser is offline or the live connection has been gone for some seconds. */
import { useEffect, useState } from 'react';
import { useLiveConnection } from '@purser/live';
import { Box, Group, Icon, Text } from '@purser/ui';

const PATIENCE_MS = 4000;

export function ConnectionNotice() {
  const online = useOnline();
  const connection = useLiveConnection();
  const broken = connection === 'waiting' || connection === 'connecting';
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (!broken) {
      setLate(false);
      return undefined;
    }
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [broken]);
  const text = !online ? 'You are offline. What you entered stays here; we go on when the connection is back.'
    : late ? 'Live updates are paused. Reconnecting…' : null;
  return (
    <div role="status">
      {text !== null && (
        <Box pos="fixed" bottom={16} left={0} right={0} style={{ zIndex: 300, pointerEvents: 'none' }} px="md">
          <Group gap={10} wrap="nowrap" mx="auto" w="fit-content" px="md" py={10}
            style={{ borderRadius: 12, background: '#26313d', color: '#fff', boxShadow: 'var(--mantine-shadow-lg)' }}>
            <Icon name="wifi" /><Text size="sm">{text}</Text>
          </Group>
        </Box>
      )}
    </div>
  );
}

function useOnline(): boolean {
  const [online, setOnline] = useState(() => navigator.onLine);
  useEffect(() => {
    const update = () => setOnline(navigator.onLine);
    addEventListener('online', update);
    addEventListener('offline', update);
    return () => {
      removeEventListener('online', update);
      removeEventListener('offline', update);
    };
  }, []);
  return online;
}
