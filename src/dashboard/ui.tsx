import { Box, Text } from 'ink';
import { memo, type ReactElement } from 'react';
import { fitLine, type Line, lineWidth } from './line.js';
import { styleOf, type Theme } from './theme.js';

interface RowProps {
  readonly line: Line;
  readonly theme: Theme;
}

/** One line of the screen. Ink gives an empty text no height, so that a line without text is a space. */
function Row({ line, theme }: RowProps): ReactElement {
  if (lineWidth(line) === 0) return <Text> </Text>;
  return (
    <Text wrap="truncate">
      {line.map((part, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a span is its place in the line
        <Text key={index} {...styleOf(part.tone, theme)} inverse={part.inverse === true}>
          {part.text}
        </Text>
      ))}
    </Text>
  );
}

interface LinesProps {
  readonly lines: readonly Line[];
  readonly columns: number;
  readonly theme: Theme;
}

/** A block of lines, each exactly `columns` wide. */
export const Lines = memo(function Lines({ lines, columns, theme }: LinesProps): ReactElement {
  return (
    <Box flexDirection="column" width={columns} flexShrink={0}>
      {lines.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place in the block
        <Row key={index} line={fitLine(line, columns, theme)} theme={theme} />
      ))}
    </Box>
  );
});
