/** Edit and deploy: every deployment is a new version. */
import { useState } from 'react';
import { fieldErrors } from '@purser/api';
import type { FunctionInfo } from '@purser/api';
import { Button, Group, InlineError, Stack, useFirstWrong, useMutation, useQueryClient } from '@purser/ui';
import { notifications } from '@purser/ui/pages';
import { DraftForm } from './draft-form';
import { deployFunction } from './requests';
import { draftOf, isPlaced } from './rules';

export function SourcePanel({ info }: { info: FunctionInfo }) {
  const [draft, setDraft] = useState(() => draftOf(info));
  const [triggers, setTriggers] = useState(info.triggers.join('\n'));
  const client = useQueryClient();
  const task = useMutation({
    mutationFn: () => deployFunction(info.name, draft),
    onSuccess: async (next) => {
      notifications.show({ title: 'Deployed', message: `${next.name} answers as version ${next.version}.`, color: 'harbor' });
      await client.invalidateQueries({ queryKey: ['functions'] });
    },
  });
  const [form] = useFirstWrong<HTMLDivElement>(task.error);
  return (
    <Stack ref={form}>
      <DraftForm draft={draft} triggers={triggers} error={task.error} onChange={setDraft} onTriggers={setTriggers} />
      <Group><Button loading={task.isPending} onClick={() => task.mutate()}>Deploy a new version</Button></Group>
      {!isPlaced(fieldErrors(task.error)) && <InlineError error={task.error} />}
    </Stack>
  );
}
