/** A time that stays true while one looks at it; the exact one is in its title. */
import { useEffect, useState } from 'react';
import { formatDateTime, formatRelative } from './format';

export function RelativeTime({ time }: { time: string }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 30_000);
    return () => clearInterval(timer);
  }, []);
  return <time dateTime={time} title={formatDateTime(time)}>{formatRelative(time)}</time>;
}
