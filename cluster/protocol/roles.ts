const CONTROLLER = /^controller(?:-|$)/;

/**
 * Whether a node is a controller: its ID is `controller`, or begins with `controller-`. So it is a matter of its certificate, and of
 * nothing that a node says of itself.
 */
export function isController(nodeId: string): boolean {
  return CONTROLLER.test(nodeId);
}
