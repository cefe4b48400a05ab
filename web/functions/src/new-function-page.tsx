/** A new function. */
import { useState } from 'react';
import { fieldErrors, useIntentKey } from '@purser/api';
import { Anchor, Button, Card, Group, InlineError, Link, Page, PageHeader, Stack, TextInput, useFirstWrong, useMutation, useNavigate, useQueryClient } from '@purser/ui';
import { DraftForm } from './draft-form';
import { createFunction } from './requests';
import { isPlaced, NEW_DRAFT, nameProblem } from './rules';

export function NewFunctionPage() {
  const [name, setName] = useState('');
  const [draft, setDraft] = useState(NEW_DRAFT);
  const [triggers, setTriggers] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const { keyFor, settle } = useIntentKey();
  const navigate = useNavigate();
  const client = useQueryClient();
  const task = useMutation({
    mutationFn: () => createFunction(name, draft, keyFor([name, draft])),
    onSuccess: async () => {
      settle();
      await client.invalidateQueries({ queryKey: ['functions'] });
      navigate(`/functions/${name}`);
    },
  });
  const errors = fieldErrors(task.error);
  const [form, refused] = useFirstWrong<HTMLDivElement>(task.error);
  const deploy = () => {
    const wrong = nameProblem(name);
    setProblem(wrong);
    if (wrong !== null) refused();
    else if (!task.isPending) task.mutate();
  };
  return (
    <Page size="md">
      <Anchor component={Link} to="/functions" size="sm">← Functions</Anchor>
      <PageHeader title="New function" />
      <Card>
        <Stack ref={form} className="fields">
          <TextInput label="Name" placeholder="say-hello" value={name} error={problem ?? errors['name']} onChange={(event) => setName(event.currentTarget.value)} />
          <DraftForm draft={draft} triggers={triggers} error={task.error} onChange={setDraft} onTriggers={setTriggers} />
          <Group><Button loading={task.isPending} onClick={deploy}>Deploy</Button></Group>
          {!isPlaced(errors) && <InlineError error={task.error} />}
        </Stack>
      </Card>
    </Page>
  );
}
