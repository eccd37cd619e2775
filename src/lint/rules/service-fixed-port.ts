import type { Rule } from '../rule.js';

/** A port that a command names: `--port 4000`, `-p=4000`, `--listen :4000`. */
const PORT_OPTION = /(?:^|\s)--?(?:p|port|http-port|listen|bind|addr|address)[=\s]\S*?(\d{4,5})(?=\s|$)/;

const rule: Rule = {
  code: 'service/fixed-port',
  severity: 'warning',
  summary: 'A managed target has a port of its own choice',
  partial: true,
  check(model, report) {
    for (const { at, config, name } of model.services) {
      const { run } = config;
      if (run === undefined) continue;
      const entity = `service.${name}`;
      if (run.env[run.port_env] !== undefined)
        report({
          span: at.spanOf('run', 'env'),
          entity,
          message: `\`${run.port_env}\` of \`env\` has no effect: gw sets this variable to a free port, another one for each process.`,
          help: `Remove \`${run.port_env}\`, or set \`port_env\` to the variable that the program reads.`,
        });
      const port = PORT_OPTION.exec(run.command)?.[1];
      if (port === undefined) continue;
      const several = (run.instances?.max ?? 1) > 1;
      report({
        span: at.spanOf('run', 'command'),
        entity,
        message: `The command seems to listen on port ${port}, but gw sends requests to the port in \`${run.port_env}\`${several ? ', and several processes cannot share one port' : ''}.`,
        help: `Remove the option, and let the program listen on the port in the variable \`${run.port_env}\`.`,
      });
    }
  },
};
export default rule;
