/**
 * The design kit, and the one place through which packages use Mantine, the router and the query library: the shell
 * ships it once, and every micro front end shares it. Only what is named here is in the bundle. What no page needs
 * before somebody has signed in is in pages.ts.
 */
export {
  ActionIcon, Alert, Anchor, Avatar, Box, Button, Card, Center, Container, Group, Indicator, MantineProvider,
  Skeleton, Stack, Text, TextInput, ThemeIcon, Title, UnstyledButton, VisuallyHidden,
  useComputedColorScheme, useMantineColorScheme,
} from '@mantine/core';
export { useDisclosure } from '@mantine/hooks';
export { useForm } from '@mantine/form';
export {
  BrowserRouter, Link, MemoryRouter, Navigate, NavLink, Route, Routes,
  useLocation, useNavigate, useParams, useSearchParams,
} from 'react-router';
export { QueryClient, QueryClientProvider, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
export type { Query } from '@tanstack/react-query';
export { theme } from './theme';
export { makeQueryClient } from './query';
export { EmptyState, ErrorState, FormFoot, InlineError } from './states';
export { PageHeader, Page } from './page';
export { usePageTitle } from './title';
export { PasswordInput } from './password-input';
export { useFirstWrong } from './first-wrong';
export { useSubmit } from './submit';
export { lazyPage } from './lazy-page';
export { Logo } from './logo';
export { Icon } from './icons';
export type { IconName } from './icons';
