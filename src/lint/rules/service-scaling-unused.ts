import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/scaling-unused',
  severity: 'warning',
  summary: 'A setting of the scaling has no effect',
  partial: true,
  check(model, report) {
    for (const { at, config, name } of model.services) {
      if (config.run === undefined) continue;
      const { max, min } = config.run.instances ?? { min: 1, max: 1 };
      const unused = [...(min === max ? ['scale_down_after'] : []), ...(min > 0 ? ['idle'] : [])].filter(
        (key) => at.originOf('run', key).from !== 'default',
      );
      for (const key of unused)
        report({
          span: at.spanOf('run', key),
          entity: `service.${name}`,
          message:
            key === 'idle'
              ? `\`idle\` has no effect: at least ${min} of the processes always run.`
              : `\`${key}\` has no effect: the number of processes is always ${min}.`,
          help:
            key === 'idle'
              ? `Set \`instances = "0..${max}"\`, or remove it.`
              : 'Set `instances` to bounds such as `"1..4"`, or remove it.',
        });
    }
  },
};
export default rule;
