import { groupCommands } from "./_command.ts";
import type { Command } from "./_command.ts";
import { nodeCaCommand } from "./_node_ca.ts";
import { nodeGetCommand, nodePutCommand } from "./_node_files.ts";
import { nodeLeaveCommand } from "./_node_leave.ts";
import { nodeLsCommand, nodeTopCommand } from "./_node_ls.ts";
import { nodeRunCommand, nodeStopCommand } from "./_node_run.ts";
import { nodeServicesCommand } from "./_node_services.ts";
import { nodeJoinCommand, nodeStartCommand } from "./_node_start.ts";

/** `rgtp node …`: a cluster, its nodes, and what they do. */
export const nodeCommand: Command = groupCommands(
  "makes and runs clusters of nodes: instances, services and files on many machines",
  new Map([
    ["ca", nodeCaCommand],
    ["start", nodeStartCommand],
    ["join", nodeJoinCommand],
    ["ls", nodeLsCommand],
    ["top", nodeTopCommand],
    ["run", nodeRunCommand],
    ["stop", nodeStopCommand],
    ["services", nodeServicesCommand],
    ["put", nodePutCommand],
    ["get", nodeGetCommand],
    ["leave", nodeLeaveCommand],
  ]),
);
