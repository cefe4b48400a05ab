/** Where short messages appear; what was said before it is there is shown once it is. Not part of the kit that all share: the shell draws it. */
import { Notifications } from '@mantine/notifications';

export default function Toasts() {
  return <Notifications position="bottom-right" limit={4} />;
}
